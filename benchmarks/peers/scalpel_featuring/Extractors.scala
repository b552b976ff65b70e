package scalpel

import java.nio.charset.StandardCharsets.UTF_8
import java.sql.{Date, Timestamp}
import java.util.Base64

import org.apache.spark.sql.{DataFrame, Dataset, Row}
import org.apache.spark.sql.functions.col

/** One pass over a flat table: functions over rows say which of them are events of the study, and make the events. */
abstract class Extractor(val name: String) extends Serializable {
  def input(sources: Sources): DataFrame
  def isInScope(row: Row): Boolean
  def isInStudy(row: Row): Boolean = true
  def build(row: Row): Seq[Event]

  def extract(sources: Sources): Dataset[Event] = {
    import sources.spark.implicits._
    input(sources)
      .filter((row: Row) => isInScope(row))
      .filter((row: Row) => isInStudy(row))
      .flatMap((row: Row) => build(row))
      .distinct()
  }

  protected def columns(table: DataFrame, names: Seq[String]): DataFrame = table.select(names.map(col): _*)

  protected def has(row: Row, name: String): Boolean = !row.isNullAt(row.fieldIndex(name))

  protected def text(row: Row, name: String): String = row.getAs[String](name).trim.toUpperCase

  protected def person(row: Row): Long = row.getAs[Long]("person_id")
}

/** Purchases of medicines: one for each claim and substance; weight 1 for a large pack. */
object Drugs extends Extractor("drug_purchases") {
  private val Pack = "ER_PHA_F__PHA_PRS_C13"

  def input(sources: Sources): DataFrame = {
    val claims = columns(sources.dcir, Seq("person_id", "EXE_SOI_DTD", Pack) ++ Sources.FluxKey)
    claims.join(sources.irPhaR, col(Pack) === col("PHA_CIP_C13"))
  }

  def isInScope(row: Row): Boolean = has(row, Pack) && has(row, "PHA_ATC_C07") && has(row, "EXE_SOI_DTD")

  def build(row: Row): Seq[Event] = {
    val claim = Base64.getEncoder.encodeToString(Sources.FluxKey.map(row.getAs[Any](_)).mkString("_").getBytes(UTF_8))
    val weight = if (row.getAs[String]("PHA_CND_TOP") == "GC") 1.0 else 0.0
    val day = Days.of(row.getAs[Date]("EXE_SOI_DTD"))
    Seq(Event(person(row), "drug", claim, text(row, "PHA_ATC_C07"), weight, day, None))
  }
}

/** Medical acts among reimbursed claims; the group says where they were done. */
class DcirActs(codes: Set[String]) extends Extractor("dcir_acts") {
  private val Act = "ER_CAM_F__CAM_PRS_IDE"
  private val Ghs = "ER_ETE_F__ETE_GHS_NUM"
  private val Kind = "ER_ETE_F__ETE_TYP_COD"
  private val Public = "ER_ETE_F__PRS_PPU_SEC"

  def input(sources: Sources): DataFrame =
    columns(sources.dcir, Seq("person_id", "EXE_SOI_DTD", "FLX_DIS_DTD", Act, Ghs, Kind, Public))

  def isInScope(row: Row): Boolean = has(row, Act)

  override def isInStudy(row: Row): Boolean = codes.contains(text(row, Act).take(7))

  def build(row: Row): Seq[Event] = {
    val day = if (has(row, "EXE_SOI_DTD")) row.getAs[Date]("EXE_SOI_DTD") else row.getAs[Date]("FLX_DIS_DTD")
    Seq(Event(person(row), "dcir_act", provenance(row), text(row, Act).take(7), 1.0, Days.of(day), None))
  }

  private def provenance(row: Row): String =
    if (has(row, Public) && row.getAs[Long](Public) == 1) "public_ambulatory"
    else if (!has(row, Ghs)) "liberal"
    else if (row.getAs[Long](Ghs) == 0 && has(row, Kind) && Set(4L, 5L, 6L, 7L).contains(row.getAs[Long](Kind)))
      "private_ambulatory"
    else "unknown_source"
}

/** What one column of hospital stays tells: a kind of diagnosis, or the acts. */
abstract class McoExtractor(name: String, category: String, code: String, more: String*) extends Extractor(name) {
  def input(sources: Sources): DataFrame = columns(
    sources.mco,
    Seq("person_id", "ETA_NUM", "RSA_NUM", "MCO_B__SOR_ANN", "stay_start", code) ++ more
  )

  def isInScope(row: Row): Boolean = has(row, code) && has(row, "stay_start")

  def build(row: Row): Seq[Event] = Seq(Event(person(row), category, stay(row), value(row), 0.0, day(row), None))

  protected def value(row: Row): String = text(row, code)

  protected def day(row: Row): Timestamp = Days.of(row.getAs[Date]("stay_start"))

  protected def stay(row: Row): String =
    Seq("ETA_NUM", "RSA_NUM", "MCO_B__SOR_ANN").map(row.getAs[String](_)).mkString("_")
}

class McoDiagnoses(name: String, category: String, code: String, codes: Codes)
    extends McoExtractor(name, category, code) {
  override def isInStudy(row: Row): Boolean = codes.isFracture(value(row))
}

class McoActs(codes: Set[String])
    extends McoExtractor("mco_acts", "mco_ccam_act", "MCO_A__CDC_ACT", "MCO_A__ENT_DAT_DEL") {
  override def isInStudy(row: Row): Boolean = codes.contains(value(row))

  override protected def value(row: Row): String = super.value(row).take(7)

  override protected def day(row: Row): Timestamp = {
    val delay = if (has(row, "MCO_A__ENT_DAT_DEL")) row.getAs[Long]("MCO_A__ENT_DAT_DEL") else 0L
    Days.plus(super.day(row), delay)
  }
}

/** Hospital stays: value the way they ended, weight 9 for death. */
object McoStays
    extends McoExtractor("hospital_stays", "mco_hospital_stay", "MCO_B__SOR_MOD", "EXE_SOI_DTD", "EXE_SOI_DTF") {
  private val Exits = Map("0" -> "transfer_act", "6" -> "mutation", "7" -> "transfer", "8" -> "home", "9" -> "death")

  override def isInScope(row: Row): Boolean = has(row, "EXE_SOI_DTD") && has(row, "EXE_SOI_DTF")

  override def build(row: Row): Seq[Event] = {
    val how = Option(row.getAs[String]("MCO_B__SOR_MOD")).flatMap(Exits.get).getOrElse("unknown")
    val Seq(first, last) = Seq("EXE_SOI_DTD", "EXE_SOI_DTF").map(name => Days.of(row.getAs[Date](name)))
    Seq(Event(person(row), "mco_hospital_stay", stay(row), how, 0.0, first, Some(last)))
  }
}

/** Acts of outpatients of public hospitals. */
class McoCeActs(codes: Set[String]) extends Extractor("mco_ce_acts") {
  private val Act = "MCO_FMSTC__CCAM_COD"

  def input(sources: Sources): DataFrame = columns(sources.mcoCe, Seq("person_id", "EXE_SOI_DTD", Act))

  def isInScope(row: Row): Boolean = has(row, Act) && has(row, "EXE_SOI_DTD")

  override def isInStudy(row: Row): Boolean = codes.contains(text(row, Act).take(7))

  def build(row: Row): Seq[Event] = {
    val day = Days.of(row.getAs[Date]("EXE_SOI_DTD"))
    Seq(Event(person(row), "mco_ce_act", "public_ambulatory", text(row, Act).take(7), 1.0, day, None))
  }
}

object Extractors {
  /** Those of the fall study, in its order. */
  def all(codes: Codes): Seq[Extractor] = Seq(
    McoStays,
    new McoDiagnoses("mco_main_diagnoses", "mco_main_diagnosis", "MCO_B__DGN_PAL", codes),
    new McoDiagnoses("mco_linked_diagnoses", "mco_linked_diagnosis", "MCO_B__DGN_REL", codes),
    new McoDiagnoses("mco_associated_diagnoses", "mco_associated_diagnosis", "MCO_D__ASS_DGN", codes),
    new DcirActs(codes.outpatientActs ++ codes.materialRemoval),
    new McoActs(codes.surgery ++ codes.materialRemoval),
    new McoCeActs(codes.outpatientActs),
    Drugs
  )
}
