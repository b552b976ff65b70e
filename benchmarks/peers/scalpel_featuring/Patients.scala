package scalpel

import org.apache.spark.sql.{DataFrame, Dataset, Row}
import org.apache.spark.sql.expressions.Window
import org.apache.spark.sql.functions._

/** Everybody in any source: IR_BEN_R, outer-joined with what stays, claims and outpatient visits tell of persons.
  *
  * Kinder than the original: the month of birth is not estimated from the days on which ages change in the claims.
  */
object Patients {
  private val NoYear = Seq("-1", "0", "1", "0000", "0001", "1600")

  def extract(sources: Sources): Dataset[Patient] = {
    import sources.spark.implicits._
    val joined = referential(sources)
      .join(stays(sources), Seq("person_id"), "outer")
      .join(claims(sources), Seq("person_id"), "outer")
      .join(visits(sources), Seq("person_id"), "outer")
    joined
      .select(
        col("person_id"),
        coalesce(col("ref_gender"), col("claim_gender"), col("visit_gender")).cast("int").as("gender"),
        coalesce(col("ref_birth"), col("claim_birth")).as("birth"),
        coalesce(col("ref_death"), col("stay_death"), col("claim_death")).as("death")
      )
      .filter((row: Row) => !row.isNullAt(1) && !row.isNullAt(2))
      .map { (row: Row) =>
        val death = Option(row.getDate(3)).map(Days.of).filter(!_.before(Days.of(row.getDate(2))))
        Patient(row.getLong(0), row.getInt(1), Days.of(row.getDate(2)), death)
      }
  }

  private def referential(sources: Sources): DataFrame = {
    val month = lpad(coalesce(when(col("BEN_NAI_MOI").between("01", "12"), col("BEN_NAI_MOI")), lit("07")), 2, "0")
    sources.irBenR
      .where(!col("BEN_NAI_ANN").isin(NoYear: _*))
      .withColumn("birth", to_date(concat(col("BEN_NAI_ANN"), month, lit("15")), "yyyyMMdd"))
      .groupBy("person_id")
      .agg(
        max(when(col("BEN_SEX_COD").isin(1, 2), col("BEN_SEX_COD"))).as("ref_gender"),
        max("birth").as("ref_birth"),
        min(known("BEN_DCD_DTE")).as("ref_death")
      )
  }

  /** Deaths in hospital, by month. */
  private def stays(sources: Sources): DataFrame = {
    val month = to_date(concat(lit("01"), lpad(col("MCO_B__SOR_MOI"), 2, "0"), col("MCO_B__SOR_ANN")), "ddMMyyyy")
    sources.mco.groupBy("person_id").agg(min(when(col("MCO_B__SOR_MOD") === "9", month)).as("stay_death"))
  }

  /** The year of birth that most claims tell, the mean gender, the first death. */
  private def claims(sources: Sources): DataFrame = {
    val told = sources.dcir.select("person_id", "BEN_NAI_ANN", "BEN_SEX_COD", "BEN_DCD_DTE")
    val most = Window.partitionBy("person_id").orderBy(desc("lines"), col("BEN_NAI_ANN"))
    val years = told
      .where(!col("BEN_NAI_ANN").isin(NoYear: _*))
      .groupBy("person_id", "BEN_NAI_ANN")
      .agg(count(lit(1)).as("lines"))
      .withColumn("place", row_number().over(most))
      .where("place = 1")
      .select(col("person_id"), to_date(concat(col("BEN_NAI_ANN"), lit("0715")), "yyyyMMdd").as("claim_birth"))
    val others = told
      .groupBy("person_id")
      .agg(round(avg("BEN_SEX_COD")).as("claim_gender"), min(known("BEN_DCD_DTE")).as("claim_death"))
    others.join(years, Seq("person_id"), "left")
  }

  private def visits(sources: Sources): DataFrame =
    sources.mcoCe.groupBy("person_id").agg(max(col("MCO_FASTC__COD_SEX").cast("int")).as("visit_gender"))

  private def known(day: String) = when(year(col(day)) > 1900, col(day))
}
