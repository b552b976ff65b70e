package scalpel

import java.nio.file.{Files, Paths}
import scala.jdk.CollectionConverters._

/** The code lists of the study, held on the driver and sent along with the functions over rows. */
class Codes(folder: String) extends Serializable {
  private val fractures = CodeList.read(s"$folder/fracture_codes.csv")
  private val sites: Seq[(String, String)] =
    CodeList.read(s"$folder/fracture_sites.csv").map(row => row("code") -> row("site_group")).sortBy(-_._1.length)

  val diagnoses: Seq[String] = of(fractures, "hospital_diagnosis").toSeq
  val outpatientActs: Set[String] = of(fractures, "outpatient_act")
  val materialRemoval: Set[String] = of(fractures, "material_removal")
  val surgery: Set[String] = of(CodeList.read(s"$folder/fracture_surgery.csv"), "surgery")
  val doubledHospitals: Seq[String] =
    CodeList.read(s"$folder/finess_double_count.csv").map(_("finess")).distinct

  def isFracture(diagnosis: String): Boolean = diagnoses.exists(prefix => diagnosis.startsWith(prefix))

  /** The site of a code by the longest entry that begins it; `?` stands for one character. */
  def site(code: String): String =
    sites.find { case (entry, _) => begins(code, entry) }.map(_._2).getOrElse("other")

  private def begins(code: String, entry: String): Boolean =
    code.length >= entry.length && entry.indices.forall(i => entry(i) == '?' || entry(i) == code(i))

  private def of(rows: Seq[Map[String, String]], use: String): Set[String] =
    rows.filter(_("use") == use).map(_("code")).toSet
}

object CodeList {
  private val Comma = ",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)" // one that is not between quotes

  /** The rows of a CSV file by the names of its columns. */
  def read(path: String): Seq[Map[String, String]] = {
    val lines = Files.readAllLines(Paths.get(path)).asScala.toSeq.map(_.stripPrefix("\uFEFF").split(Comma, -1).toSeq)
    lines.tail.filter(_.length > 1).map(cells => lines.head.zip(cells).toMap)
  }
}
