package scalpel

import org.apache.spark.sql.{Column, DataFrame, SparkSession}
import org.apache.spark.sql.functions._

/** The flat tables with SCALPEL's filters as SQL columns.
  *
  * Kinder than the original: the columns that the study reads are given with their types, so that Spark opens no
  * file to find them.
  */
class Sources(val spark: SparkSession, root: String, codes: Codes) {
  def dcir: DataFrame = flat("DCIR", Sources.Dcir).where(col("BSE_PRS_NAT") =!= 0 && col("DPN_QLF") =!= 71)

  def mco: DataFrame = {
    val shared = col("MCO_B__SEJ_TYP").isNull || col("MCO_B__SEJ_TYP") =!= "B" ||
      (ghm.like("28%") && !ghm.isin("28Z14Z", "28Z15Z", "28Z16Z"))
    val grouped = ghm =!= "14Z08Z" && !ghm.like("90%") && col("MCO_B__GHS_NUM") =!= "9999"
    flat("MCO", Sources.Mco)
      .where(shared && grouped && valid("NIR_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET") && countedOnce)
      .withColumn("stay_start", stayStart)
  }

  def mcoCe: DataFrame =
    flat("MCO_CE", Sources.McoCe)
      .where(valid("NIR_RET", "NAI_RET", "SEX_RET", "IAS_RET", "ENT_DAT_RET") && countedOnce)

  def irPhaR: DataFrame =
    table("IR_PHA_R", "PHA_CIP_C13 BIGINT, PHA_ATC_C07 STRING, PHA_CND_TOP STRING").drop("period")

  /** IR_BEN_R with the person of each identifier. */
  def irBenR: DataFrame = {
    val couples = spark.read.schema("psa STRING, rank BIGINT, person_id BIGINT")
    val persons = couples.parquet(s"$root/identity/identity.parquet")
    table("IR_BEN_R", Sources.IrBenR)
      .join(persons, col("BEN_NIR_PSA") === col("psa") && col("BEN_RNG_GEM") === col("rank"))
  }

  private def flat(product: String, columns: String): DataFrame =
    table(product, columns).where(col("person_id").isNotNull)

  private def table(product: String, columns: String): DataFrame =
    spark.read.schema(columns).parquet(s"$root/flat/$product")

  private def ghm: Column = col("MCO_B__GRG_GHM")

  private def valid(names: String*): Column = names.map(col(_) === "0").reduce(_ && _)

  private def countedOnce: Column = !col("ETA_NUM").isin(codes.doubledHospitals: _*)

  /** The best date there is: the entry, else the length of the stay before its end or before the month of its end. */
  private def stayStart: Column = {
    val length = coalesce(col("MCO_B__SEJ_NBJ"), lit(0)).cast("int")
    val month = concat(lit("01"), lpad(col("MCO_B__SOR_MOI"), 2, "0"), col("MCO_B__SOR_ANN"))
    val ends = Seq(col("SOR_DAT"), month).map(end => date_sub(to_date(end, "ddMMyyyy"), length))
    coalesce(to_date(col("ENT_DAT"), "ddMMyyyy") +: ends: _*)
  }
}

object Sources {
  val FluxKey: Seq[String] =
    Seq("DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM")
  val Dcir: String =
    """person_id BIGINT, EXE_SOI_DTD DATE, DCT_ORD_NUM BIGINT, FLX_DIS_DTD DATE, FLX_EMT_NUM BIGINT, FLX_EMT_ORD BIGINT,
      |FLX_EMT_TYP BIGINT, FLX_TRT_DTD DATE, ORG_CLE_NUM STRING, BSE_PRS_NAT BIGINT, DPN_QLF BIGINT, BEN_SEX_COD BIGINT,
      |BEN_NAI_ANN STRING, BEN_DCD_DTE DATE, ER_PHA_F__PHA_PRS_C13 BIGINT, ER_CAM_F__CAM_PRS_IDE STRING,
      |ER_ETE_F__ETE_GHS_NUM BIGINT, ER_ETE_F__ETE_TYP_COD BIGINT, ER_ETE_F__PRS_PPU_SEC BIGINT""".stripMargin
  val Mco: String =
    """person_id BIGINT, ETA_NUM STRING, RSA_NUM STRING, EXE_SOI_DTD DATE, EXE_SOI_DTF DATE, ENT_DAT STRING,
      |SOR_DAT STRING, MCO_B__SOR_ANN STRING, MCO_B__SOR_MOI STRING, MCO_B__SEJ_NBJ BIGINT, MCO_B__SOR_MOD STRING,
      |MCO_B__SEJ_TYP STRING, MCO_B__GRG_GHM STRING, MCO_B__GHS_NUM STRING, MCO_B__DGN_PAL STRING,
      |MCO_B__DGN_REL STRING, MCO_A__CDC_ACT STRING, MCO_A__ENT_DAT_DEL BIGINT, MCO_D__ASS_DGN STRING, NIR_RET STRING,
      |SEJ_RET STRING, FHO_RET STRING, PMS_RET STRING, DAT_RET STRING""".stripMargin
  val McoCe: String =
    """person_id BIGINT, ETA_NUM STRING, EXE_SOI_DTD DATE, MCO_FASTC__COD_SEX STRING, MCO_FASTC__AGE_ANN BIGINT,
      |MCO_FMSTC__CCAM_COD STRING, NIR_RET STRING, NAI_RET STRING, SEX_RET STRING, IAS_RET STRING,
      |ENT_DAT_RET STRING""".stripMargin
  val IrBenR: String =
    """BEN_NIR_PSA STRING, BEN_RNG_GEM BIGINT, BEN_SEX_COD BIGINT, BEN_NAI_ANN STRING, BEN_NAI_MOI STRING,
      |BEN_DCD_DTE DATE""".stripMargin
}
